from django.db import models


class Visit(models.Model):
    at = models.DateTimeField(auto_now_add=True)


class Note(models.Model):
    text = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]
