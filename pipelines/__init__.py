"""How it is carried: recipes, shards, runs, manifests and the command. Imports filters, never the other way round."""
