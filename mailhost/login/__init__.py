"""The one door-keeper: authenticate, throttle, keep the sign-in diary."""
