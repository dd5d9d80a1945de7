"""What every service process needs once: settings, logs, health, store, tracing, fault points, graceful drain."""
