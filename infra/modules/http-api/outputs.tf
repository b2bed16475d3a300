output "id" {
  description = "Id of the API."
  value       = try(local.api.id, null)
}

output "arn" {
  description = "ARN of the API."
  value       = try(local.api.arn, null)
}

output "execution_arn" {
  description = "ARN prefix for Lambda permissions and execute-api:Invoke."
  value       = try(local.api.execution_arn, null)
}

output "endpoint" {
  description = "Address of the API, without a slash at the end."
  value       = try(local.api.api_endpoint, null)
}

output "access_log_group_name" {
  description = "Name of the access log group; null without one."
  value       = try(aws_cloudwatch_log_group.access["this"].name, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `invoke` every route that asks for AWS_IAM; null without an API."
  value = var.create ? {
    invoke = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["execute-api:Invoke"], Resource = ["${local.api.execution_arn}/$default/*"] }]
    })
  } : null
}
