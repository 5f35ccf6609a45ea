"""Posts and categories."""

from django.db import models


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)


class Post(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"

    slug = models.SlugField(max_length=200, unique=True)
    title = models.CharField(max_length=500)
    teaser = models.TextField(blank=True)
    body = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    published_at = models.DateTimeField(null=True)
    categories = models.ManyToManyField(Category, related_name="posts")

    class Meta:
        indexes = (models.Index(fields=["status", "-published_at"]),)
