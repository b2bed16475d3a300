# Values of the local environment that differ from the defaults. What the local cloud cannot do is switched by
# local_endpoint, which the deploy sets.
env                            = "local"
registration_enabled           = true
deletion_protection_enabled    = false
point_in_time_recovery_enabled = false
# Port 5173 is Vite's, port 5199 is that of `make demo`.
allowed_origins      = ["http://localhost:5173", "http://127.0.0.1:5173", "http://localhost:5199", "http://127.0.0.1:5199"]
log_retention_days   = 1
permissions_boundary = false
# The tests make hundreds of accounts from one address.
max_registrations_per_network = 1000000
health_details                = "everyone"
