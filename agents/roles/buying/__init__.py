"""Reading from caches: whom to ask, what to pay, and slots read through them."""
