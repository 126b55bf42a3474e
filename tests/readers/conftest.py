"""One recording for all readers, and one Spark session for all its tests."""

import os
import shutil

import pytest
from readers.page import READERS
from readers.recording import evening, made, truth


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Its root, and every table as it should be read."""
    root, tape = tmp_path_factory.mktemp("readers") / "data", evening(5)
    made(root, tape)
    return root, truth(tape)


@pytest.fixture(params=READERS)
def reader(request):
    """Each of the readers, ready."""
    if request.param == "Spark":
        request.getfixturevalue("spark")
    return request.param


@pytest.fixture(scope="session")
def spark():
    """The smallest Spark there is, talking to nobody but itself."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - where it is needed

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
    }
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
