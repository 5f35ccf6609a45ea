"""The GraphQL API: strawberry-django's types, filters, orders and mutations, with its query optimizer."""

import strawberry
import strawberry_django
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from strawberry import auto
from strawberry.django.views import GraphQLView
from strawberry.extensions import ParserCache, ValidationCache
from strawberry_django.optimizer import DjangoOptimizerExtension

from newsroom import models


@strawberry_django.filter_type(models.Category)
class CategoryFilter:
    slug: auto


@strawberry_django.filter_type(models.Post)
class PostFilter:
    slug: auto
    status: auto
    categories: CategoryFilter | None


@strawberry_django.order_type(models.Post)
class PostOrder:
    published_at: auto


@strawberry_django.type(models.Category, filters=CategoryFilter)
class Category:
    id: auto
    slug: auto
    name: auto


@strawberry_django.type(models.Post, filters=PostFilter, ordering=PostOrder, pagination=True)
class Post:
    id: auto
    slug: auto
    title: auto
    teaser: auto
    body: auto
    status: auto
    published_at: auto
    categories: list[Category]


@strawberry_django.input(models.Category)
class CategoryInput:
    slug: auto
    name: auto


@strawberry_django.input(models.Post)
class PostInput:
    slug: auto
    title: auto
    teaser: auto
    body: auto
    status: auto
    published_at: auto
    categories: auto


@strawberry.type
class Query:
    posts: list[Post] = strawberry_django.field()
    categories: list[Category] = strawberry_django.field()

    @strawberry.field
    def post_count(self) -> int:
        return models.Post.objects.count()


@strawberry.type
class Mutation:
    create_category: Category = strawberry_django.mutations.create(CategoryInput)
    create_post: Post = strawberry_django.mutations.create(PostInput)


schema = strawberry.Schema(
    Query, Mutation, extensions=[DjangoOptimizerExtension, ParserCache, ValidationCache]
)
urlpatterns = [path("graphql", csrf_exempt(GraphQLView.as_view(schema=schema)))]
