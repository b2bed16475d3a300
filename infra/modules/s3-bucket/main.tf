locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create = var.create ? { this = true } : {}
  bucket = try(aws_s3_bucket.this["this"].id, null)
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:On with access_log_bucket; the scanner does not follow for_each, and the bucket of the logs has no log bucket itself
  #checkov:skip=CKV_AWS_144:State and artifacts belong to one Region, like the deployment; a second Region has its own bootstrap
  #checkov:skip=CKV2_AWS_62:No consumer needs notifications of objects

  for_each = local.create

  bucket        = local.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.create

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.create

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.create

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.create

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# The provider reads the rules ten times, five seconds apart, before it reports them as created: S3 takes a while to show them everywhere.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = var.lifecycle_enabled ? local.create : {}

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_expiration_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = var.access_log_bucket == null ? {} : local.create

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = var.access_log_bucket
  target_prefix = "${local.name}/"
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.create

  bucket = aws_s3_bucket.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this["this"].arn, "${aws_s3_bucket.this["this"].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
