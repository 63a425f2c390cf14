"""From one TOML file to a trained network and its run folder."""
