"""From crates to a deployment, and back: build, releases, Terraform, canary, rollback, destroy."""
