output "provider_arn" {
  description = "ARN of GitHub's identity provider."
  value       = var.create ? local.provider_arn : null
}

output "role_arns" {
  description = "ARN of each role, by name."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
