output "name" {
  description = "Name of the bus."
  value       = try(aws_cloudwatch_event_bus.this["this"].name, null)
}

output "arn" {
  description = "ARN of the bus."
  value       = try(aws_cloudwatch_event_bus.this["this"].arn, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `publish` events to the bus."
  value = var.create ? {
    publish = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["events:PutEvents"], Resource = [aws_cloudwatch_event_bus.this["this"].arn] }]
    })
  } : null
}

output "settings" {
  description = "Settings of the bus and its archive, taken from the resources, for reviews and tests."
  value = {
    archive_days    = one([for archive in aws_cloudwatch_event_archive.this : archive.retention_days])
    dead_letters_to = one(flatten([for bus in aws_cloudwatch_event_bus.this : [for config in bus.dead_letter_config : config.arn]]))
    kms_key_arn     = one([for bus in aws_cloudwatch_event_bus.this : bus.kms_key_identifier])
  }
}
