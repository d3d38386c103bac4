"""A cluster of many simulated nodes under a real ResourceManager."""
