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

output "settings" {
  description = "Settings of the bucket, taken from the resources, for reviews and tests."
  value = try({
    access_logs_to               = one([for logging in aws_s3_bucket_logging.this : "${logging.target_bucket}/${logging.target_prefix}"])
    blocks_public_access         = alltrue([for setting in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.this["this"][setting]])
    encryption                   = one(aws_s3_bucket_server_side_encryption_configuration.this["this"].rule).apply_server_side_encryption_by_default[0].sse_algorithm
    force_destroy                = aws_s3_bucket.this["this"].force_destroy
    name                         = aws_s3_bucket.this["this"].bucket
    old_versions_expire_days     = one([for lifecycle in aws_s3_bucket_lifecycle_configuration.this : one(one(lifecycle.rule).noncurrent_version_expiration).noncurrent_days])
    object_ownership             = one(aws_s3_bucket_ownership_controls.this["this"].rule).object_ownership
    unfinished_uploads_end_after = one([for lifecycle in aws_s3_bucket_lifecycle_configuration.this : one(one(lifecycle.rule).abort_incomplete_multipart_upload).days_after_initiation])
    versioning                   = aws_s3_bucket_versioning.this["this"].versioning_configuration[0].status
  }, null)
}
