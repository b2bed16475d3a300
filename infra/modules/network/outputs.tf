output "vpc_id" {
  description = "Id of the VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Ids of the private subnets, in the order of the zones."
  value       = var.create ? [for zone in var.availability_zones : aws_subnet.private[zone].id] : []
}

output "functions_security_group_id" {
  description = "Security group for the functions in the network."
  value       = try(aws_security_group.functions["this"].id, null)
}

output "endpoint_policy" {
  description = "What the gateway endpoint to DynamoDB lets through (JSON); null without a network."
  value       = try(aws_vpc_endpoint.dynamodb["this"].policy, null)
}

output "kms_endpoint_policy" {
  description = "What the interface endpoint to KMS lets through (JSON); null without one."
  value       = try(aws_vpc_endpoint.kms["this"].policy, null)
}
