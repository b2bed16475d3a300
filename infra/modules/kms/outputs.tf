output "arn" {
  description = "ARN of the key; null without one."
  value       = try(aws_kms_key.this["this"].arn, null)
}

output "alias_name" {
  description = "Alias of the key; null without one."
  value       = try(aws_kms_alias.this["this"].name, null)
}

output "key_policy" {
  description = "The key's policy (JSON); null without a key."
  value       = try(aws_kms_key.this["this"].policy, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `use` the key for data."
  value = var.create ? {
    use = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = var.users == null ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt", "kms:Encrypt"], Resource = [aws_kms_key.this["this"].arn] }]
    })
  } : null
}

output "settings" {
  description = "Rotation and deletion window of the key, taken from the key, for reviews and tests."
  value = one([for key in aws_kms_key.this : {
    deletion_window_days = key.deletion_window_in_days
    rotation             = key.enable_key_rotation
    rotation_period_days = key.rotation_period_in_days
  }])
}
