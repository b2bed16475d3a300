output "provider_arn" {
  description = "ARN of the issuer's identity provider."
  value       = var.create ? local.provider_arn : null
}

output "role_arns" {
  description = "ARN of each role, by name."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "subjects" {
  description = "Subjects that may take each role, by name; of the repository's jobs without its name. Taken from the trust policy, for reviews and tests."
  value = { for name, role in aws_iam_role.this : name => distinct([
    for subject in flatten([jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["${local.issuer}:sub"]]) : replace(subject, "/^repo:[^:]+:/", "")
  ]) }
}

output "trusted_repositories" {
  description = "Forms of the repository's name in the subjects that may take each role, by name. Taken from the trust policy, for reviews and tests."
  value = { for name, role in aws_iam_role.this : name => distinct(flatten([
    for subject in flatten([jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["${local.issuer}:sub"]]) : regexall("^repo:([^:]+):", subject)
  ])) }
}

output "max_session_seconds" {
  description = "Longest session of each role, by name. Taken from the role, for reviews and tests."
  value       = { for name, role in aws_iam_role.this : name => role.max_session_duration }
}

output "policies" {
  description = "Inline policy (JSON) of each role that has one, by name: for reviews and tests."
  value       = { for name, policy in aws_iam_role_policy.this : name => policy.policy }
}
