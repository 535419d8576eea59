"""Users as a token resolves to them."""

from worker.contract.users import User


def test_R41_a_digest_tells_users_of_one_wallet_and_customers_of_one_number_apart() -> None:
    digests = {User(customer, wallet).digest for wallet in "AB" for customer in "12"}

    assert len(digests) == 4
    assert User("1", "A", ("ja",)).digest == User("1", "A").digest


def test_R41_a_digest_that_a_store_kept_is_not_made_again() -> None:
    made = User("1", "A")

    assert User("1", "A", digest=made.digest) == made
    assert User("1", "A", digest="0123456789abcdef").digest == "0123456789abcdef"
