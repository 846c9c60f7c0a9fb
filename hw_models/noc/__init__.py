"""Networks on chip: topologies as links and routes, and one kernel that moves flits or bursts."""
