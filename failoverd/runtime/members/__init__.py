"""Several members of one installation: who leads, what they remember together, and what their vantages see."""
