variable "manage_api_gateway_account" {
  description = "Whether to give API Gateway its role for logs, which is a setting of the whole account and Region. Switch it off if another stack sets it."
  type        = bool
  default     = true
}

variable "access_log_bucket" {
  description = "Bucket of the account in which S3 records the reads and writes of state and artifacts; null for none."
  type        = string
  default     = null
}

variable "github_repository" {
  description = "GitHub repository (owner/name) whose pipelines may plan and deploy; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, or empty."
  }
}

variable "github_repository_ids" {
  description = "Numbers of the repository and of its owner at GitHub (`gh api repos/<owner>/<name> --jq '.owner.id, .id'`). A repository that was made, renamed or moved since July 2026 needs them, because GitHub then sends them in each token. Null for a repository from before."
  type = object({
    owner      = string
    repository = string
  })
  default = null

  validation {
    condition     = var.github_repository_ids == null || var.github_repository != ""
    error_message = "github_repository_ids must be null without github_repository."
  }
}

variable "hosted_zone_ids" {
  description = "Hosted zones of Route 53 in which a deploy may change records: those of http_domain and websocket_domain. Empty for none."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.hosted_zone_ids : can(regex("^Z[A-Z0-9]{3,31}$", id))])
    error_message = "hosted_zone_ids must be ids of hosted zones, such as Z0123456789ABC."
  }
}

variable "truststore_object_arns" {
  description = "ARNs of the S3 objects that a deploy may set as truststore of mutual TLS (http_domain.mutual_tls). Empty for none."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.truststore_object_arns : can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+/.+$", arn))])
    error_message = "truststore_object_arns must be ARNs of objects, such as arn:aws:s3:::bucket/truststore.pem."
  }
}

variable "pull_requests_may_plan" {
  description = "Whether pull requests, and so any branch of the repository, may take the role that plans. It is off in production, where only main checks for drift."
  type        = bool
  default     = false
}

variable "create_github_provider" {
  description = "Whether to create GitHub's identity provider; false in an account that has it (another environment's bootstrap made it)."
  type        = bool
  default     = true
}

variable "monthly_budget_usd" {
  description = "Limit of the costs of a month, in US dollars; 0 for no budget."
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must be 0 or more."
  }
}

variable "budget_email_addresses" {
  description = "E-mail addresses that are notified when the budget is being spent."
  type        = list(string)
  default     = []

  validation {
    condition     = var.monthly_budget_usd == 0 || length(var.budget_email_addresses) > 0
    error_message = "budget_email_addresses must not be empty with a budget."
  }
}
