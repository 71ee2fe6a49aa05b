"""Where the work is carried: this machine, a Slurm queue or a Ray cluster."""
