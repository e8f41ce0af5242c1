"""The painter: posters in place of the pictures that a real model would generate."""
