output "arn" {
  description = "ARN of the key; null without one."
  value       = try(aws_kms_key.this["this"].arn, null)
}

output "alias_name" {
  description = "Alias of the key; null without one."
  value       = try(aws_kms_alias.this["this"].name, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `use` the key for data."
  value = var.create ? {
    use = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.this["this"].arn] }]
    })
  } : null
}
