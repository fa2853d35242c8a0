"""Values as JSON, and in the documentation's printed form."""
