output "name" {
  description = "Name of the bucket; null without one."
  value       = local.bucket
}

output "arn" {
  description = "ARN of the bucket; null without one."
  value       = try(aws_s3_bucket.this["this"].arn, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `read` objects and list them, `write` objects; null without a bucket."
  value = var.create ? {
    read = jsonencode({
      Version = "2012-10-17"
      Statement = [
        { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [aws_s3_bucket.this["this"].arn] },
        { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${aws_s3_bucket.this["this"].arn}/*"] },
      ]
    })
    write = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["s3:PutObject"], Resource = ["${aws_s3_bucket.this["this"].arn}/*"] }]
    })
  } : null
}
