"""From samples to series, roll-ups, spikes and mentions; plans what is to be measured."""
