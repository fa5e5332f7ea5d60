CREATE TABLE performance (
  id INT PRIMARY KEY,
  title VARCHAR(100) NOT NULL,
  seats_left INT NOT NULL
);

CREATE TABLE seat (
  performance_id INT NOT NULL,
  number INT NOT NULL,
  booking_id BIGINT NULL,
  PRIMARY KEY (performance_id, number),
  FOREIGN KEY (performance_id) REFERENCES performance (id)
);
