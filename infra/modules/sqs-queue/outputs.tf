output "name" {
  description = "Name of the queue."
  value       = try(aws_sqs_queue.this["main"].name, null)
}

output "arn" {
  description = "ARN of the queue."
  value       = try(aws_sqs_queue.this["main"].arn, null)
}

output "url" {
  description = "URL of the queue."
  value       = try(aws_sqs_queue.this["main"].url, null)
}

output "dlq_name" {
  description = "Name of the dead-letter queue; null without one."
  value       = local.dlq_name
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue; null without one."
  value       = local.dlq_arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue; null without one, and for an external one."
  value       = try(aws_sqs_queue.this["dlq"].url, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `send` and `consume` on the queue, `dead_letter` to send to its dead-letter queue."
  value = var.create ? {
    send = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [aws_sqs_queue.this["main"].arn] }]
    })
    consume = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = [aws_sqs_queue.this["main"].arn]
      }]
    })
    dead_letter = local.has_dead_letters ? jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.dlq_arn] }]
    }) : null
  } : null
}

output "settings" {
  description = "Settings of the queue (`main`) and its dead-letter queue (`dlq`), taken from the resources, for reviews and tests."
  value = { for key, queue in aws_sqs_queue.this : key => {
    dead_letters       = [for policy in aws_sqs_queue_redrive_policy.this : jsondecode(policy.redrive_policy) if key == "main" && policy.queue_url == queue.url]
    dead_letters_of    = flatten([for policy in aws_sqs_queue_redrive_allow_policy.this : jsondecode(policy.redrive_allow_policy).sourceQueueArns if key == "dlq" && policy.queue_url == queue.url])
    insecure_denied    = length([for policy in [for name, policy in aws_sqs_queue_policy.this : policy if name == key] : policy if jsondecode(policy.policy).Statement[0].Effect == "Deny"]) > 0
    kms_key_arn        = queue.kms_master_key_id
    managed_encryption = queue.sqs_managed_sse_enabled == true && queue.kms_master_key_id == null
    max_size_bytes     = queue.max_message_size
    name               = queue.name
    retention_seconds  = queue.message_retention_seconds
    senders = flatten([for name, policy in aws_sqs_queue_policy.this : [
      for statement in jsondecode(policy.policy).Statement : format("%v may %v from %v", try(statement.Principal.Service, statement.Principal), statement.Action, try(statement.Condition.ArnEquals["aws:SourceArn"], "anywhere")) if statement.Effect == "Allow"
    ] if name == key])
    visibility_seconds = queue.visibility_timeout_seconds
    wait_seconds       = queue.receive_wait_time_seconds
  } }
}
