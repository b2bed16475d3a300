output "name" {
  description = "Name of the table."
  value       = try(aws_dynamodb_table.this["this"].name, null)
}

output "arn" {
  description = "ARN of the table."
  value       = local.arn
}

output "stream_arn" {
  description = "ARN of the table's stream; null without one."
  value       = var.stream_view_type == null ? null : try(aws_dynamodb_table.this["this"].stream_arn, null)
}

output "index_arns" {
  description = "ARN of each global secondary index, by index name."
  value       = { for name in keys(var.global_secondary_indexes) : name => "${local.arn}/index/${name}" if var.create }
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `read` (table and indexes), `write` (single items) and `transact` (what transactions need besides write)."
  value = var.create ? {
    read = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = concat([local.arn], [for name in keys(var.global_secondary_indexes) : "${local.arn}/index/${name}"])
      }]
    })
    write = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        Resource = [local.arn]
      }]
    })
    transact = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["dynamodb:ConditionCheckItem"]
        Resource = [local.arn]
      }]
    })
  } : null
}
