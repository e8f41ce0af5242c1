"""What people think of the pictures, and the winners."""
