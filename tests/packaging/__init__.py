"""What is in the wheel, tried from outside the checkout."""
