from multiprocessing import Value

from celery.concurrency.asynpool import AsynPool

from worker.adapters.celery.pool import Child, Children, DeliveryPool


def test_a_child_at_its_end_waits_for_nobody_to_read_its_results() -> None:
    child = object.__new__(Child)
    vars(child)["on_ready_counter"] = Value("i", 0)  # nobody has read one; billiard's own would look for 30 s

    assert child._ensure_messages_consumed(completed=5)


def test_a_pool_that_was_not_started_has_no_children() -> None:
    assert DeliveryPool(2).children() == []


def test_celery_makes_its_children_of_the_class_of_the_pool() -> None:
    assert issubclass(DeliveryPool.Pool, AsynPool)
    assert (DeliveryPool.Pool, Children.Worker) == (Children, Child)
