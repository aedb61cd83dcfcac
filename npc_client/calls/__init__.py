"""The calls of each service, a class for each; `Client` has them all."""
