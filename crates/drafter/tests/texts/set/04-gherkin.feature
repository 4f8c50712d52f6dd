Feature: Book a course
  As a member
  I want to book a course
  So that I have a place in the gym

  Background:
    Given a trainer offers a course with 12 places

  Scenario: Places are left
    Given the member has a valid contract
    When the member books the course
    Then the system creates a booking
    And the system sends a confirmation to the member

  Scenario: The course is full
    Given the course has no free places
    When the member books the course
    Then the system puts the member on the waiting list

  Scenario Outline: Cancel a booking
    When the member cancels the booking <hours> hours before
    Then the system refunds <amount>
    Examples:
      | hours | amount |
      | 24    | 100 %  |
      | 2     | 0 %    |

=== class
Member
Course
Trainer
Contract
Booking
WaitingList
Confirmation
Member - Contract
Trainer - Course
Member - Course
Member - Booking
Member - WaitingList
=== usecase
Member: book a course
Member: cancel the booking
Trainer: offer a course
