"""The Python client: projects, items, batches, labels, over HTTP.

>>> from tithe.client import Tithe
>>> with Tithe("http://127.0.0.1:8000") as tithe:                                          # doctest: +SKIP
...     project = tithe.create_project("mail", labels=["ham", "spam"], budget=500)
...     project.import_items("mail.ndjson")
...     for question in project.labels("ada"):
...         question.answer("spam" if "lottery" in question.text else "ham")

Imports httpx, pydantic, tenacity and Tithe's contracts: nothing of the server.
"""

from tithe.client.batch import SKIP, BatchHandle, Nothing, Skip
from tithe.client.connection import Tithe
from tithe.client.problem import TitheProblem
from tithe.client.project import ProjectHandle
from tithe.client.questions import Question

__all__ = ["SKIP", "BatchHandle", "Nothing", "ProjectHandle", "Question", "Skip", "Tithe", "TitheProblem"]
