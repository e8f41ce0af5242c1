"""Making the pictures: the cache, both ways to ask the models, and what came of it."""
