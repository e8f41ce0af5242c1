terraform {
  # The exam asks for "over 1.9"; use_lockfile below came with 1.10. Tried: 1.11.4, which the workflows take.
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The exam's floor. Nothing here may need more than 5.74.0 takes: hence python3.12, for it does not know python3.13. Deployed with 5.100.0 on
      # the local cloud; a job of checks.yml validates with exactly 5.74.0.
      version = "~> 5.74"
    }
  }

  # The course owns the bucket and many candidates share it, so the key is each candidate's own and never written here:
  #   terraform init -backend-config="key=<candidate>/couch-explorers.tfstate"
  # A cloud that serves S3 on one host name asks for -backend-config="use_path_style=true" as well.
  backend "s3" {
    bucket       = "pgr301-2024-terraform-state"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

# Another cloud is reached by AWS_ENDPOINT_URL alone: what is deployed on a laptop is what is deployed on AWS.
provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project   = "couch-explorers"
      Candidate = var.candidate
      ManagedBy = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}
