"""An extension of Handful that classifies waveforms. Imports nothing: the API processes need the input kind only."""
