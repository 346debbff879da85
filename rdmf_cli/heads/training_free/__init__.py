"""The training-free head: similarity → reaction-diffusion → level sets → ranking."""
