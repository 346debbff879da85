"""The network of the learned head. Importing its modules imports torch."""
