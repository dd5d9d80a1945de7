"""Reading the platforms' numbers: `publisher.collecting.MetricsReader`, one module for each."""
