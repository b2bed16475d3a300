output "provider_arn" {
  description = "ARN of GitHub's identity provider."
  value       = var.create ? local.provider_arn : null
}

output "role_arns" {
  description = "ARN of each role, by name."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "subjects" {
  description = "Subjects of the repository's jobs that may take each role, by name. Taken from the trust policy, for reviews and tests."
  value = { for name, role in aws_iam_role.this : name => [
    for subject in flatten([jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]]) : trimprefix(subject, "repo:${var.repository}:")
  ] }
}

output "policies" {
  description = "Inline policy (JSON) of each role that has one, by name: for reviews and tests."
  value       = { for name, policy in aws_iam_role_policy.this : name => policy.policy }
}
