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
  value       = try(aws_sqs_queue.this["dlq"].name, null)
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue; null without one."
  value       = try(aws_sqs_queue.this["dlq"].arn, null)
}

output "dlq_url" {
  description = "URL of the dead-letter queue; null without one."
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
    dead_letter = local.has_dead_letter_queue ? jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [aws_sqs_queue.this["dlq"].arn] }]
    }) : null
  } : null
}
