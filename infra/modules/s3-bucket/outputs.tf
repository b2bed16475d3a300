output "name" {
  description = "Name of the bucket; null without one."
  value       = local.bucket
}

output "arn" {
  description = "ARN of the bucket; null without one."
  value       = try(aws_s3_bucket.this["this"].arn, null)
}
