output "vpc_id" {
  description = "Id of the VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Ids of the subnets, in the order of the zones; those of the existing VPC with one."
  value       = local.subnet_ids
}

output "functions_security_group_id" {
  description = "Security group for the functions in the network."
  value       = try(aws_security_group.functions["this"].id, null)
}

output "endpoint_policy" {
  description = "Policy of the gateway endpoint to DynamoDB (JSON); null without one."
  value       = try(aws_vpc_endpoint.dynamodb["this"].policy, null)
}

output "kms_endpoint_policy" {
  description = "Policy of the interface endpoint to KMS (JSON); null without one."
  value       = try(aws_vpc_endpoint.kms["this"].policy, null)
}

output "settings" {
  description = "Settings of the network, its endpoints and its flow logs, taken from the resources, for reviews and tests."
  value = {
    cidr_block           = one([for vpc in aws_vpc.this : vpc.cidr_block])
    endpoint_private_dns = one([for endpoint in aws_vpc_endpoint.kms : endpoint.private_dns_enabled])
    flow_log_days        = one([for group in aws_cloudwatch_log_group.flow : group.retention_in_days])
    flow_log_kms_key_arn = one([for group in aws_cloudwatch_log_group.flow : group.kms_key_id])
    flow_log_traffic     = one([for log in aws_flow_log.this : log.traffic_type])
    public_addresses     = anytrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch])
    zones                = sort([for subnet in aws_subnet.private : "${subnet.availability_zone} ${subnet.cidr_block}"])
  }
}
