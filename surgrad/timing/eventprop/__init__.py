"""EventProp: the exact gradient of networks whose spikes are events in time."""
