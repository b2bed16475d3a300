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
