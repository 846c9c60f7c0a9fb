"""Random chips and random networks through the whole simulator: a result, or one clear line."""
