output "state_bucket" {
  description = "Bucket of the state: `bucket` in environments/<env>.s3.tfbackend."
  value       = module.state_bucket.name
}

output "artifacts_bucket" {
  description = "Bucket of the functions' zips: artifacts_bucket in environments/<env>.tfvars."
  value       = module.artifacts_bucket.name
}

output "permissions_boundary_arn" {
  description = "The most that roles can do that a deploy makes; without it none is made."
  value       = aws_iam_policy.boundary.arn
}

output "pipeline_role_arns" {
  description = "Roles of the pipelines: plan and deploy."
  value       = module.oidc.role_arns
}
