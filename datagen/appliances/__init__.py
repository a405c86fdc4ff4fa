"""Appliances, one small model a module: each gives the energy of every slot in Wh from a random stream of its own."""
