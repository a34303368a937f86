"""Returns all events of a project at once; Bugsink's own API requires one request per event."""
from bugsink.decorators import login_exempt
from django.http import HttpResponse
from django.urls import path
from events.models import Event


@login_exempt
def events(request, project):
    stored = Event.objects.filter(project=project).order_by("project_digest_order").values_list("data", flat=True)
    return HttpResponse("[" + ",".join(stored) + "]", content_type="application/json")


urlpatterns = [path("harness/events/<int:project>", events)]
